"""Addresses under `/scim/v2`, by which a directory elsewhere says who there is: one file each."""
