-- Errors: thrown by the script and by its libraries, caught near and far, and what is closed on the way.

print("caught", select(2, pcall(error, "near")) == "near" and select(2, pcall(function() error("here") end)))
print("levels", select(2, pcall(function() local function check() error("checked", 2) end check() end)))
print("objects", select(2, pcall(error, {code = 42})).code)
print("nothing", pcall(error))
print("libraries", pcall(string.rep))
print("operators", pcall(function(a, b) return a + b end, {}, 1))
print("conversions", pcall(string.format, "%d", 1.5))

-- Through functions in C: sorting, substitution, metamethods, iterators.
print("sort", pcall(table.sort, {3, 1, 2}, function(a, b) if a == 2 or b == 2 then error("two") end return a < b end))
print("gsub", pcall(string.gsub, "abc", "%w", function(char) if char == "b" then error("at " .. char, 0) end end))
local odd = setmetatable({}, {__index = function(_, key) error("no " .. key, 2) end, __eq = function() error("eq") end})
print("index", pcall(function() return odd.field end))
print("eq", pcall(function() return odd == setmetatable({}, getmetatable(odd)) end))

-- One inside the other, and again.
local function nested(depth)
  if depth == 0 then error("bottom", 0) end
  local ok, why = pcall(nested, depth - 1)
  assert(not ok)
  error(why .. depth % 10, 0)
end
print("nested", pcall(nested, 40))
local function deep(n) return n == 0 and error("end of the stack", 0) or 1 + deep(n - 1) end
print("far", pcall(deep, 5000))
local function endless(n) return 1 + endless(n + 1) end
local ok, why = pcall(endless, 1)
print("endless", ok, why:match("stack overflow"))
print("handler", xpcall(function() error("first") end, function(why) return "handled " .. why end))
print("in handler", xpcall(error, function() error("again") end, "x"))

-- What is closed is closed, in order.
local function closing(name)
  return setmetatable({}, {__close = function(_, why) print("close " .. name, why) end})
end
print("closed", pcall(function()
  local a <close> = closing("a")
  local b <close> = closing("b")
  error("leaving", 0)
end))

-- Coroutines leave by jumps too.
local function producer(count)
  return coroutine.wrap(function()
    for at = 1, count do
      coroutine.yield(at, pcall(function() if at % 2 == 0 then error("even", 0) end coroutine.yield("inside") end))
    end
    error("produced", 0)
  end)
end
local produce = producer(3)
for _ = 1, 6 do print("coroutine", pcall(produce)) end
print("dead", pcall(produce))
local stopped = coroutine.create(function() local kept <close> = closing("kept") coroutine.yield() end)
coroutine.resume(stopped)
print("close", coroutine.close(stopped), coroutine.status(stopped))

-- Many, so that what each leaves behind would show.
local sum = 0
for at = 1, 20000 do
  local ok, why = pcall(error, at)
  sum = sum + (ok and 0 or why)
end
print("many", sum, collectgarbage("count") < 20000)
print("syntax", load("x = = 1", "=text"))

error({})
