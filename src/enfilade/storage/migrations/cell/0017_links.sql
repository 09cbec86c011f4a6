-- Whoever got a link for an account without rights must not come by those that the account was given since.
ALTER TABLE password_links ADD COLUMN covers text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN password_links.covers IS 'The permissions of whoever issued it: it opens no account that may do more by then.';
