# Prints "FROM TO ITEM" for each import between two files of one crate; the rules stand in check-cycles.sh.
# Called with the Rust files of the crate, and -v src=its source folder. Plain POSIX awk, for mawk, gawk and busybox alike.

# The module that a file is: src/a/b.rs and src/a/b/mod.rs are a::b, src/lib.rs and src/main.rs the root, named "".
function module_of(file, path) {
    path = substr(file, length(src) + 2)
    sub(/\.rs$/, "", path)
    if (path == "lib" || path == "main") return ""
    sub(/\/mod$/, "", path)
    gsub(/\//, "::", path)
    return path
}

function join_path(module, name) { return module == "" ? name : module "::" name }

# A line without strings, characters and comments, whose words are no code.
function bare(line) {
    gsub(/'\\?"'/, "", line)
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    sub(/\/\/.*/, "", line)
    return line
}

# Expands the braces of a use tree: each path that it names goes to found[1..].
function expand(tree, open, depth, at, start, c, inner, head) {
    open = index(tree, "{")
    if (open == 0) {
        sub(/ as .*/, "", tree)
        gsub(/ /, "", tree)
        sub(/::self$/, "", tree)
        if (tree != "") found[++count] = tree
        return
    }
    head = substr(tree, 1, open - 1)
    depth = 0
    start = open + 1
    for (at = open + 1; at <= length(tree); at++) {
        c = substr(tree, at, 1)
        if (c == "{") depth++
        if (c == "}" && depth > 0) { depth--; continue }
        if (depth == 0 && (c == "," || c == "}")) {
            inner = substr(tree, start, at - start)
            gsub(/^ +| +$/, "", inner)
            if (inner != "") expand(head inner)
            start = at + 1
        }
    }
}

# The path from the root of the crate that PATH means in MODULE, or "-" where it leads out of the crate.
function absolute(path, module, parts, n, i, base) {
    n = split(path, parts, "::")
    if (parts[1] == "crate") base = ""
    else if (parts[1] == "self") base = module
    else if (parts[1] == "super") {
        base = module
        for (i = 1; i <= n && parts[i] == "super"; i++) if (!sub(/::[^:]*$/, "", base)) base = ""
        for (; i <= n; i++) base = join_path(base, parts[i])
        return base
    }
    else if (join_path(module, parts[1]) in file_of && declared[module, parts[1]]) base = join_path(module, parts[1])
    else return "-"
    for (i = 2; i <= n; i++) base = join_path(base, parts[i])
    return base
}

# The module and the item that a path from the root names, in the two globals of these names, behind all doors.
function resolve(path, rest, parts, n, i, try, hops) {
    for (hops = 0; hops < 8; hops++) {
        module = ""
        n = split(path, parts, "::")
        for (i = 1; i <= n; i++) {
            try = join_path(module, parts[i])
            if (!(try in file_of)) break
            module = try
        }
        item = i <= n ? parts[i] : ""
        if (!((module, item) in door)) return
        path = door[module, item]
        for (i++; i <= n; i++) path = join_path(path, parts[i])
    }
}

function imports(from, path) {
    path = absolute(path, from)
    if (path == "-") return
    resolve(path)
    if (module in file_of && module != from && !seen[from, module, item]++)
        edges[++edge_count] = file_of[from] " " file_of[module] " " (item == "" ? "(module)" : item)
}

{
    if (FNR == 1) {
        here = module_of(FILENAME)
        # Beside a library, main.rs is a crate of its own, which has no other file.
        if (FILENAME == src "/lib.rs") has_library = 1
        if (here != "" || !(here in file_of)) file_of[here] = FILENAME
        test = ended = comment = 0
        statement = ""
    }
    if (ended || FILENAME == src "/main.rs" && has_library) next
    if ($0 ~ /^#\[cfg\(test\)\]/) { test = 1; next }
    if (test && $0 ~ /^#\[/) next
    # A test module stands last; any other item of tests is left out to its end, which has no indentation.
    if (test && $0 ~ /^(pub )?mod .*\{/) { ended = 1; next }
    if (test) { if ($0 ~ /^(\}|[^ ].*;$)/) test = 0; next }
    line = bare($0)
    if (line ~ /^ *(pub(\([a-z:]*\))? )?mod [a-z_0-9]+;/) {
        name = line
        sub(/;.*/, "", name)
        sub(/.*mod /, "", name)
        declared[here, name] = 1
        next
    }
    if (statement == "" && line ~ /^ *(pub(\([a-z:]*\))? )?use /) statement = " "
    if (statement != "") {
        sub(/^ +/, "", line)
        statement = statement line " "
        if (line ~ /;/) {
            gsub(/^ +|;.*/, "", statement)
            uses[++use_count] = statement
            use_in[use_count] = here
            statement = ""
        }
        next
    }
    if (line ~ /[^ ]/) { code[++code_count] = line; code_in[code_count] = here }
}

END {
    # Doors first: what a file re-exports of another.
    for (i = 1; i <= use_count; i++) {
        statement = uses[i]
        is_door = sub(/^pub(\([a-z:]*\))? use /, "", statement)
        sub(/^use /, "", statement)
        count = 0
        expand(statement)
        for (j = 1; j <= count; j++) {
            if (is_door && found[j] !~ /\*$/) {
                name = found[j]
                sub(/.*::/, "", name)
                path = absolute(found[j], use_in[i])
                if (path != "-") { door[use_in[i], name] = path; doors[use_in[i]] = doors[use_in[i]] " " name }
            } else {
                used[++used_count] = found[j]
                used_in[used_count] = use_in[i]
            }
        }
    }
    for (i = 1; i <= used_count; i++) imports(used_in[i], used[i])
    for (i = 1; i <= code_count; i++) {
        line = code[i]
        while (match(line, /[A-Za-z_][A-Za-z_0-9]*(::[A-Za-z_][A-Za-z_0-9]*)+/)) {
            imports(code_in[i], substr(line, RSTART, RLENGTH))
            line = substr(line, RSTART + RLENGTH)
        }
        # A name that the file re-exports and uses itself is an import like any other.
        n = split(doors[code_in[i]], names, " ")
        for (j = 1; j <= n; j++)
            if (code[i] ~ ("(^|[^A-Za-z_0-9:])" names[j] "([^A-Za-z_0-9]|$)")) imports(code_in[i], "self::" names[j])
    }
    for (i = 1; i <= edge_count; i++) print edges[i]
}
