-- A bit of everything that a script does: tables, closures, strings, patterns, numbers, metatables, garbage.

local function queens(n)
  local count, rows, up, down = 0, {}, {}, {}
  local function place(column)
    if column > n then
      count = count + 1
      return
    end
    for row = 1, n do
      if not rows[row] and not up[row + column] and not down[row - column + n] then
        rows[row], up[row + column], down[row - column + n] = true, true, true
        place(column + 1)
        rows[row], up[row + column], down[row - column + n] = nil, nil, nil
      end
    end
  end
  place(1)
  return count
end

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Vector) end
Vector.__tostring = function(v) return string.format("(%g, %g)", v.x, v.y) end
Vector.__lt = function(a, b) return a.x < b.x end

print("queens", queens(7))
print(setmetatable({ x = 1.5, y = 2 }, Vector) + setmetatable({ x = 0.1, y = 1e300 }, Vector))
print(string.format("%5.2f|%-8s|%08x|%q", math.pi, "left", 48879, "a\n\"b\""))
print(("The quick brown fox"):gsub("%w+", function(word) return word:sub(1, 1):upper() .. word:sub(2):lower() end))
for key, value in ("a=1, b=22, c=333"):gmatch("(%w+)=(%w+)") do io.write(key, ":", value, " ") end
print(#"done", 7 // 2, -7 // 2, 7 % -3, 7.5 % 2, 1 << 62, math.maxinteger + 1 == math.mininteger)
print(10 / 3, 2 ^ 0.5, 1e15, 123456789012345678, 0.1 + 0.2, math.tointeger(3.0), "10" + 5)

local words = {}
for index = 1, 500 do words[index] = ("w%d"):format((index * 7919) % 1009) end
table.sort(words, function(a, b) return #a == #b and a < b or #a < #b end)
print(words[1], words[250], words[500], table.concat(words, ",", 100, 104), select("#", table.unpack(words)))

local garbage = 0
for round = 1, 200 do
  local t = {}
  for index = 1, 100 do t[index] = { index, tostring(index * round) } end
  garbage = garbage + #t[100][2]
end
collectgarbage()
print(garbage, collectgarbage("count") < 2000, pcall(string.rep, "ab", 3))
print(utf8.char(228, 8364, 128512), utf8.len("grüße"), load("return ...")(42), #arg)
goto finish
print("never")
::finish::
