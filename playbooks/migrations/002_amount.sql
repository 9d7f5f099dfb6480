ALTER TABLE app.orders ADD COLUMN amount numeric(12, 2) NOT NULL DEFAULT 0;

-- undo
ALTER TABLE app.orders DROP COLUMN amount;
