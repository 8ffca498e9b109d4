"""The solver: rates and Jacobian, integration methods, step control, events, and sampling."""
