SELECT COUNT(*), SUM(price), MIN(price), MAX(price) FROM item;
SELECT name, COUNT(*), SUM(price) FROM item GROUP BY name ORDER BY name LIMIT 5;
SELECT colour, COUNT(*), MAX(price) FROM item JOIN colour USING (name) GROUP BY colour ORDER BY colour;
SELECT id, price FROM item WHERE price > 990 ORDER BY price DESC, id LIMIT 5;
UPDATE item SET price = price + 1 WHERE id <= 10;
BEGIN; DELETE FROM item WHERE id > 500; ROLLBACK;
SELECT COUNT(*), SUM(price) FROM item;
