"""The tables of the paper venue. They are separate from those of the gateway, like the book of a real venue."""

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS venue;
CREATE TABLE IF NOT EXISTS venue.orders (
    id uuid PRIMARY KEY,
    symbol text NOT NULL,
    side text NOT NULL,
    remaining bigint NOT NULL,
    limit_price numeric
);
CREATE TABLE IF NOT EXISTS venue.executions (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES venue.orders,
    symbol text NOT NULL,
    side text NOT NULL,
    qty bigint NOT NULL,
    price numeric NOT NULL,
    fee numeric NOT NULL,
    trading_date date NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
"""
