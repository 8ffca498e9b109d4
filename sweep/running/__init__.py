"""Handing out blocks of runs, and recovering from what goes wrong."""
