DROP TABLE price;
DROP TABLE performance;
DROP TABLE inv_unit;
DROP TABLE inv_pool;
