"""The sweep file: what was asked for."""
