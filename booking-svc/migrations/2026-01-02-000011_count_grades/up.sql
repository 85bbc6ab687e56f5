CREATE TABLE inv_grade (
    pool_id uuid NOT NULL,
    grade text NOT NULL,
    room bigint NOT NULL,
    sold bigint NOT NULL DEFAULT 0,
    CONSTRAINT inv_grade_pkey PRIMARY KEY (pool_id, grade),
    CONSTRAINT inv_grade_pool_fkey FOREIGN KEY (pool_id) REFERENCES inv_pool (pool_id),
    CONSTRAINT inv_grade_level CHECK (sold BETWEEN 0 AND room)
);
INSERT INTO inv_grade
SELECT pool_id, grade, sum(capacity + overbook - blocked), sum(sold) FROM inv_unit GROUP BY pool_id, grade;
COMMENT ON TABLE inv_grade IS 'How much of each grade of a pool is sold. Every change holds the lock of the pool''s row.';
COMMENT ON COLUMN inv_grade.pool_id IS 'Pool.';
COMMENT ON COLUMN inv_grade.grade IS 'Grade of its units.';
COMMENT ON COLUMN inv_grade.room IS 'Places that can be held or sold: capacity and overbook without blocked, over its units of this grade.';
COMMENT ON COLUMN inv_grade.sold IS 'Sum of sold over them.';
