"""The tables of the paper venue. They are separate from those of the gateway, like the book of a real venue."""

# The lock lets processes that start together create the tables one after the other. It ends with the transaction, and
# PostgreSQL runs all of this in one.
SCHEMA = """
SELECT pg_advisory_xact_lock(hashtext('venue'));
CREATE SCHEMA IF NOT EXISTS venue;
CREATE TABLE IF NOT EXISTS venue.state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL DEFAULT 0,
    seq bigint NOT NULL DEFAULT 0,
    halted boolean NOT NULL DEFAULT false,
    trading_date date
);
INSERT INTO venue.state DEFAULT VALUES ON CONFLICT DO NOTHING;
-- An order that was cancelled before it arrived has no symbol, no side and no date, and its qty is 0.
CREATE TABLE IF NOT EXISTS venue.orders (
    id uuid PRIMARY KEY,
    symbol text,
    side text CHECK (side IN ('buy', 'sell')),
    qty bigint NOT NULL CHECK (qty >= 0),
    remaining bigint NOT NULL CHECK (remaining BETWEEN 0 AND qty),
    limit_price numeric CHECK (limit_price > 0 AND limit_price < 'infinity'),
    worst_price numeric CHECK (worst_price > 0 AND worst_price < 'infinity'),
    trading_date date,
    rested boolean NOT NULL DEFAULT false,
    cancelled boolean NOT NULL DEFAULT false,
    CHECK (qty = 0 OR (symbol IS NOT NULL AND side IS NOT NULL AND trading_date IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS orders_remaining ON venue.orders (id) WHERE remaining > 0;
-- The venue gives seq itself. A sequence would leave gaps, and would not be in the order of the commits. There is no
-- foreign key, which would look up each order again: the transaction of a fill has just stored or changed its order.
CREATE TABLE IF NOT EXISTS venue.executions (
    seq bigint PRIMARY KEY,
    order_id uuid NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL CHECK (side IN ('buy', 'sell')),
    qty bigint NOT NULL CHECK (qty > 0),
    price numeric NOT NULL,
    fee numeric NOT NULL,
    trading_date date NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE TABLE IF NOT EXISTS venue.positions (
    symbol text PRIMARY KEY,
    shares bigint NOT NULL
);
-- The state changes too, so that an execution that somebody else inserts waits for its turn and is noticed.
CREATE OR REPLACE FUNCTION venue.count_executions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE venue.state SET version = version + 1, seq = greatest(seq, (SELECT max(seq) FROM added));
    INSERT INTO venue.positions AS position
    SELECT symbol, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) FROM added GROUP BY symbol
    ON CONFLICT (symbol) DO UPDATE SET shares = position.shares + excluded.shares;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER count_executions AFTER INSERT ON venue.executions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION venue.count_executions();
"""
