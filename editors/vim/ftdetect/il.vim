autocmd BufRead,BufNewFile *.il setfiletype il
