DROP TABLE buyer_cap;
DROP TABLE claim;
DROP TABLE hold;
