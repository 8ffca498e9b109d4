"""The numbers of a store, and what follows from them."""
