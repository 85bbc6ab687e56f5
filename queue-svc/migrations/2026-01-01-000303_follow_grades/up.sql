ALTER TABLE stock
    ADD COLUMN grades text[] NOT NULL DEFAULT '{}',
    ADD COLUMN sold_out_grades text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN stock.grades IS 'Grades of the pool; none while nobody has told of them.';
COMMENT ON COLUMN stock.sold_out_grades IS 'Those of which nothing is left.';
