"""`python -m service doctor`: looks at everything that a service needs, changes nothing, and says how to mend it."""
