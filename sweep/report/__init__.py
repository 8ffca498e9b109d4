"""What people read: tables on the terminal, and Markdown."""
