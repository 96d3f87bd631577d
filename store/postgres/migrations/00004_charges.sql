-- +goose Up

-- What the counted records spent of accounts, such as budgets, kept with them in one transaction.
CREATE TABLE charges (
	account TEXT NOT NULL,
	slot    bigint NOT NULL, -- when the part of the account's window begins, in Unix milliseconds
	amount  bigint NOT NULL,
	PRIMARY KEY (account, slot)
);

-- +goose Down

DROP TABLE charges;
