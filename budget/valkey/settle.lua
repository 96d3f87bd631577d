-- Ends a hold: gives back what it has, and puts down what was spent. What was spent counts also where the hold's lease
-- had run out, but only once.
-- KEYS: 1 the leases, 2 the hold, 3 its tombstone, then one for each account.
-- ARGV: 1 the hold's id, 2 how long a tombstone stays (ms), then for each account: slot, amount.
-- Returns 1, or 0 where the hold was settled before.
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('SET', KEYS[3], '', 'PX', ARGV[2])
local parts = redis.call('HGETALL', KEYS[2])
for i = 1, #parts, 2 do
	redis.call('HINCRBY', parts[i], 'held', 0 - tonumber(parts[i + 1]))
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
for i = 4, #KEYS do
	local at = 2 + (i - 4) * 2
	if tonumber(ARGV[at + 2]) > 0 then
		redis.call('HINCRBY', KEYS[i], ARGV[at + 1], ARGV[at + 2])
	end
end
return 1
