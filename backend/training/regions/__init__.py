"""The networks of eyes and mouth: crops of drawn heads, what is learnt of them, their file."""
