"""The solver: net right-hand side and Jacobian, integration method, step control, events and sampling of the solution."""
