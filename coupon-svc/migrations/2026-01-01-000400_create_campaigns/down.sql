DROP TABLE coupon;
DROP TABLE campaign_stock;
DROP TABLE campaign;
