"""The formats of providers' exports: one file each, found by looking into this folder."""
