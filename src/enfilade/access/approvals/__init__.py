"""Approvals: who asked for which access, who decided, and what was granted until when."""
