"""Taking a mix apart: masks on a short-time spectrum, whose stems add up to the input again."""
