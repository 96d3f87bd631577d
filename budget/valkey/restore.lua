-- Puts down what was spent of an account before the server knew of it. One that it knows already is left as it is.
-- KEYS: 1 the account. ARGV: slot and amount, again and again.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 1, #ARGV, 2 do
	redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
return 1
