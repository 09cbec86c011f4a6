"""The SQL of stored responses. Whatever names something also names its owner and the time, for what has expired."""

INSERT_RESPONSE = """
INSERT INTO responses (tenant_id, id, owner_id, application_id, user_id, key_id, previous_id, conversation_id, model,
                       status, input, reply, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
FIND_RESPONSE = """
SELECT id, previous_id, conversation_id, reply FROM responses WHERE id = $1 AND owner_id = $2 AND expires_at > $3
"""
FIND_INPUT = "SELECT id, input FROM responses WHERE id = $1 AND owner_id = $2 AND expires_at > $3"
DELETE_RESPONSE = "DELETE FROM responses WHERE id = $1 AND owner_id = $2 AND expires_at > $3 RETURNING id"
_ENTRY = "id, previous_id, conversation_id, model, status, created_at, expires_at"
RESPONSES_DOWN = f"""
SELECT {_ENTRY} FROM responses
WHERE owner_id = $1 AND expires_at > $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4
"""
RESPONSES_UP = f"""
SELECT {_ENTRY} FROM responses
WHERE owner_id = $1 AND expires_at > $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
# The newest first. It ends early when the contents become more than $5 bytes, at the latest after $4 responses.
CHAIN = """
SELECT r.id, r.previous_id, r.conversation_id, r.input, r.reply FROM (
    WITH RECURSIVE chain (id, previous_id, depth, size) AS (
        SELECT id, previous_id, 1, (octet_length(input) + octet_length(reply))::bigint
        FROM responses WHERE id = $1 AND owner_id = $2 AND expires_at > $3
        UNION ALL
        SELECT r.id, r.previous_id, c.depth + 1, c.size + octet_length(r.input) + octet_length(r.reply)
        FROM chain c JOIN responses r ON r.id = c.previous_id
        WHERE r.owner_id = $2 AND r.expires_at > $3 AND c.depth < $4::integer AND c.size <= $5::bigint
    )
    SELECT id, depth FROM chain
) AS link JOIN responses r ON r.id = link.id ORDER BY link.depth
"""

INSERT_CONVERSATION = """
INSERT INTO conversations (tenant_id, id, owner_id, application_id, user_id, key_id, metadata, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_CONVERSATION = "id, metadata, created_at, expires_at"
FIND_CONVERSATION = f"SELECT {_CONVERSATION} FROM conversations WHERE id = $1 AND owner_id = $2 AND expires_at > $3"
CONVERSATIONS_DOWN = f"""
SELECT {_CONVERSATION} FROM conversations
WHERE owner_id = $1 AND expires_at > $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4
"""
CONVERSATIONS_UP = f"""
SELECT {_CONVERSATION} FROM conversations
WHERE owner_id = $1 AND expires_at > $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
"""
CHANGE_METADATA = f"""
UPDATE conversations SET metadata = $4, expires_at = greatest(expires_at, $5)
WHERE id = $1 AND owner_id = $2 AND expires_at > $3 RETURNING {_CONVERSATION}
"""
# The places for $4 new items, as the last of them.
TAKE_PLACES = """
UPDATE conversations SET last_position = last_position + $4, expires_at = greatest(expires_at, $5)
WHERE id = $1 AND owner_id = $2 AND expires_at > $3 RETURNING last_position
"""
DELETE_CONVERSATION = "DELETE FROM conversations WHERE id = $1 AND owner_id = $2 AND expires_at > $3 RETURNING id"

MEASURE_ITEMS = """
SELECT count(*) AS items, coalesce(sum(octet_length(content)), 0)::bigint AS bytes
FROM conversation_items WHERE conversation_id = $1
"""
INSERT_ITEMS = """
INSERT INTO conversation_items (tenant_id, conversation_id, position, item_id, content)
SELECT $1::uuid, $2::uuid, i.position, i.item_id, i.content
FROM unnest($3::bigint[], $4::text[], $5::bytea[]) AS i (position, item_id, content)
"""
LOAD_ITEMS = "SELECT item_id, content FROM conversation_items WHERE conversation_id = $1 ORDER BY position"
FIND_ITEM = """
SELECT item_id, content FROM conversation_items WHERE conversation_id = $1 AND item_id = $2
ORDER BY position DESC LIMIT 1
"""
FIND_PLACE = "SELECT max(position) FROM conversation_items WHERE conversation_id = $1 AND item_id = $2"
ITEMS_DOWN = """
SELECT item_id, content FROM conversation_items
WHERE conversation_id = $1 AND ($2::bigint IS NULL OR position < $2) ORDER BY position DESC LIMIT $3
"""
ITEMS_UP = """
SELECT item_id, content FROM conversation_items
WHERE conversation_id = $1 AND ($2::bigint IS NULL OR position > $2) ORDER BY position LIMIT $3
"""
DELETE_ITEM = "DELETE FROM conversation_items WHERE conversation_id = $1 AND item_id = $2 RETURNING position"

# For the sweep. The first is asked as the operator, for all tenants.
# Of suspended tenants nothing is deleted, nor of those that are on their way to this cell or have left it.
TENANTS_WITH_EXPIRED = """
SELECT e.tenant_id
FROM (SELECT tenant_id FROM responses WHERE expires_at <= $1
      UNION SELECT tenant_id FROM conversations WHERE expires_at <= $1) AS e
WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = e.tenant_id AND t.state <> 'active')
    AND NOT EXISTS (SELECT FROM departures d WHERE d.tenant_id = e.tenant_id AND d.returned_at IS NULL)
ORDER BY 1 LIMIT $2
"""
DELETE_EXPIRED_RESPONSES = """
DELETE FROM responses WHERE id IN (
    SELECT id FROM responses WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
) RETURNING id
"""
DELETE_EXPIRED_CONVERSATIONS = """
DELETE FROM conversations WHERE id IN (
    SELECT id FROM conversations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
) RETURNING id
"""

# What is sealed in the old form, and for whom it is to be sealed anew; `place` is what finds the row again.
OLD_RESPONSES = """
SELECT id, ARRAY[id::text] AS place, coalesce(user_id, application_id) AS subject, input, reply FROM responses
WHERE substring(input FROM 1 FOR 1) = '\\x01'::bytea OR substring(reply FROM 1 FOR 1) = '\\x01'::bytea LIMIT $1
"""
OLD_CONVERSATIONS = """
SELECT id, ARRAY[id::text] AS place, coalesce(user_id, application_id) AS subject, metadata FROM conversations
WHERE substring(metadata FROM 1 FOR 1) = '\\x01'::bytea LIMIT $1
"""
OLD_ITEMS = """
SELECT c.id, i.item_id, ARRAY[c.id::text, i.position::text] AS place, coalesce(c.user_id, c.application_id) AS subject,
    i.content
FROM conversation_items i JOIN conversations c ON c.tenant_id = i.tenant_id AND c.id = i.conversation_id
WHERE substring(i.content FROM 1 FOR 1) = '\\x01'::bytea LIMIT $1
"""
RESEAL_RESPONSE = "UPDATE responses SET input = $2, reply = $3 WHERE id = $1::text::uuid"
RESEAL_CONVERSATION = """
UPDATE conversations SET metadata = $2 WHERE id = $1::text::uuid AND substring(metadata FROM 1 FOR 1) = '\\x01'::bytea
"""
RESEAL_ITEM = """
UPDATE conversation_items SET content = $3 WHERE conversation_id = $1::text::uuid AND position = $2::text::bigint
"""
COUNT_OLD_CONTENTS = """
SELECT (SELECT count(*) FROM responses WHERE substring(input FROM 1 FOR 1) = '\\x01'::bytea)
    + (SELECT count(*) FROM conversations WHERE substring(metadata FROM 1 FOR 1) = '\\x01'::bytea)
    + (SELECT count(*) FROM conversation_items WHERE substring(content FROM 1 FOR 1) = '\\x01'::bytea)
"""
ERASE_RESPONSES = "DELETE FROM responses WHERE user_id = $1 RETURNING id"
ERASE_CONVERSATIONS = "DELETE FROM conversations WHERE user_id = $1 RETURNING id"
