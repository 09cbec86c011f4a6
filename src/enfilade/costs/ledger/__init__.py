"""What calls cost, line by line: posting, correcting, explaining, and settling what a crash left."""
