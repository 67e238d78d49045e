"""What is being played, and where in it: a library of references and the lanes that search it."""
