"""What the views and details are made of."""
