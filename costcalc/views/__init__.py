"""Records → grids: what each command shows, a module for each."""
