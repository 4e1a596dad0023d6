class Problem(Exception):
    """Something that only the person at the keyboard can mend. Its text is one sentence that says how."""
