"""Keepers of master keys: one file each, found by discovery."""
