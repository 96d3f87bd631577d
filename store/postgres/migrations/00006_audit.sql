-- +goose Up

-- What an entry of the ledger is of: '' is a call, 'audit' what somebody did. Of the second, key has the actor,
-- deployment the noun and outcome the decision, and none is counted.
ALTER TABLE records ADD COLUMN kind TEXT NOT NULL DEFAULT '';
CREATE INDEX records_audit ON records (start_us, id) WHERE kind = 'audit';

-- +goose Down

DROP INDEX records_audit;
ALTER TABLE records DROP COLUMN kind;
