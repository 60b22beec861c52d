"""What the commands do, for Python: functions and results that show themselves, a module for each theme."""
