-- A backup that is made of another type than was asked for gets another name. Here the index follows the text by itself.
SELECT 1;
