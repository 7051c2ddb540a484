" Cascade's IL. The lists of words are compared with the compiler's by its tests.
if exists('b:current_syntax')
  finish
endif

syntax keyword ilControl if else match while loop for in break continue return tail trap assert emit fail try
syntax keyword ilKeyword let var new ref mut func as is
syntax keyword ilConstant true false null
syntax keyword ilType bool i8 i16 u8 u16 i32 i64 f32 f64 v128 str buf any
" Words that start items are names elsewhere.
syntax match ilItem /\v(^|[{;}])\s*\zs<(module|use|import|const|enum|struct|global|memory|data|isa|provides|program|on|func|test|export|pure|frozen|op|event|coalesced)>\ze\s+[A-Za-z0-9_"]/
syntax match ilItem /\v<(export|pure|frozen|coalesced)\s+\zs<(pure|const|enum|struct|frozen|event)>/
syntax match ilNumber /\v<0[xX]\x+>|<\d+(\.\d+([eE][+-]?\d+)?)?>/
syntax match ilSet /\v<\h\w*(\.\h\w*)*\@\d+>/
syntax match ilLabel /\v'\h\w*'@!/
syntax match ilEscape contained /\v\\([nrt0\\"']|x\x{2}|u\{\x{1,6}\})/
syntax match ilCharacter /\v'([^'\\]|\\[^']+|\\')'/ contains=ilEscape
syntax region ilString start=/"/ skip=/\\./ end=/"/ oneline contains=ilEscape
syntax match ilField /\v\.\zs\h\w*/
syntax match ilFunction /\v<\h\w*\ze\(/ contains=ilType,ilKeyword,ilControl
syntax match ilComment /\/\/.*$/ contains=@Spell
syntax match ilDocumentation /\/\/\/.*$/ contains=@Spell

highlight default link ilControl Conditional
highlight default link ilKeyword Keyword
highlight default link ilConstant Boolean
highlight default link ilType Type
highlight default link ilItem Structure
highlight default link ilNumber Number
highlight default link ilSet Include
highlight default link ilLabel Label
highlight default link ilEscape SpecialChar
highlight default link ilCharacter Character
highlight default link ilString String
highlight default link ilFunction Function
highlight default link ilComment Comment
highlight default link ilDocumentation SpecialComment

let b:current_syntax = 'il'
