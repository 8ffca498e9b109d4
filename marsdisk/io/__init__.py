"""Files that users write, and files that are written for them."""
