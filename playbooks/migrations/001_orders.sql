CREATE TABLE app.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  buyer text NOT NULL,
  placed timestamptz NOT NULL DEFAULT now()
);

-- undo
DROP TABLE app.orders;
