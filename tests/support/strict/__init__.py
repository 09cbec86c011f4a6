"""Services that are as strict as the real ones: each refuses, in its vendor's own words, what its vendor's public
specification says that it refuses. The checks are plain functions too.
"""
