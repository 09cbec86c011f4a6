"""Addresses under `/auth`, for people who are not signed in yet: one file each, found by looking into this folder."""
