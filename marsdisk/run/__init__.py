"""What a run needs before it is integrated, and what becomes of it afterwards."""
