"""What people read on a terminal, and results as files."""
