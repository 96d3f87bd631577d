-- +goose Up

-- What the counted records spent of accounts, such as budgets, kept with them in one transaction.
CREATE TABLE charges (
	account TEXT NOT NULL,
	slot    INTEGER NOT NULL, -- when the part of the account's window begins, in Unix milliseconds
	amount  INTEGER NOT NULL,
	PRIMARY KEY (account, slot)
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE charges;
