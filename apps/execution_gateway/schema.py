"""The tables of the execution gateway."""

NUMBER = 3
"""Raised at each change of a table, here or of the paper venue. Data of another number is refused."""

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS gateway;
CREATE TABLE IF NOT EXISTS gateway.account (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL DEFAULT 0,
    batches uuid[] NOT NULL DEFAULT '{}', -- the last that were stored, the newest first
    initial_cash numeric NOT NULL,
    cash numeric NOT NULL,
    realized numeric NOT NULL DEFAULT 0,
    high_water_mark numeric NOT NULL,
    trading_date date,
    start_of_day_equity numeric,
    daily_loss_ratio numeric NOT NULL DEFAULT 0,
    loss_tripped_on date,
    booked_seq bigint NOT NULL DEFAULT 0,
    halt_confirmed boolean NOT NULL DEFAULT false,
    halt_began_at bigint,
    halt_ended_at bigint
);
CREATE TABLE IF NOT EXISTS gateway.orders (
    id uuid PRIMARY KEY,
    client_order_id text UNIQUE,
    symbol text NOT NULL,
    side text NOT NULL,
    qty bigint NOT NULL,
    order_type text NOT NULL,
    limit_price numeric,
    status text NOT NULL,
    filled_qty bigint NOT NULL DEFAULT 0,
    reason text,
    message text,
    arrival_price numeric,
    worst_price numeric,
    trading_date date,
    cancelling text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orders_open ON gateway.orders (created_at, id)
    WHERE status IN ('pending', 'accepted', 'partly_filled');
CREATE INDEX IF NOT EXISTS orders_newest ON gateway.orders (created_at DESC, id DESC);
-- Without a foreign key, which would look up each order again: the statement that stores a fill changes its order, and
-- counts the orders that it changed.
CREATE TABLE IF NOT EXISTS gateway.fills (
    venue_seq bigint PRIMARY KEY,
    order_id uuid NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    qty bigint NOT NULL,
    price numeric NOT NULL,
    fee numeric NOT NULL,
    trading_date date NOT NULL,
    filled_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS gateway.executions_set_aside (
    seq bigint PRIMARY KEY,
    order_id uuid NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    qty bigint NOT NULL,
    price numeric NOT NULL,
    fee numeric NOT NULL,
    trading_date date NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS gateway.positions (
    symbol text PRIMARY KEY,
    shares bigint NOT NULL CHECK (shares <> 0),
    average_cost numeric NOT NULL,
    last_price numeric NOT NULL
);
CREATE TABLE IF NOT EXISTS gateway.breaker_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('OPEN', 'TRIPPED')),
    reason text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS gateway.high_water_mark_resets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL,
    by text NOT NULL,
    before numeric NOT NULL,
    after numeric NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
"""
