"""The allow list for SQL from outside: one SELECT over our tables, with functions that only compute.

DuckDB's own parser gives the tree (json_serialize_sql). Everything in it that is not listed here is refused, also
whatever a later DuckDB adds.
"""

from __future__ import annotations

from typing import Any

_TABLES_TEXT = """
    releases jobs runs run_builds builds build_counts results failures tests test_metadata signatures commits id_aliases
    warnings ledger poll_log requests bugs bug_cases
"""
TABLES = frozenset(_TABLES_TEXT.split())
TABLE_FUNCTIONS = frozenset(("range", "generate_series", "unnest"))
_FUNCTIONS_TEXT = """
    + - * / // % ** ^ & | << >> ~ || ! @ ~~ !~~ ~~* !~~* ~~~ && @> <@ -> ->> ^@ abs add ceil ceiling floor round
    trunc sign sqrt cbrt exp ln log log2 log10 pow power mod fmod fdiv divide multiply subtract greatest least
    isnan isinf isfinite even factorial gcd lcm bit_count degrees radians pi sin cos tan asin acos atan atan2
    round_even nullif coalesce lower upper lcase ucase length len strlen char_length character_length left right
    substr substring trim ltrim rtrim replace reverse concat concat_ws contains starts_with ends_with prefix
    suffix instr strpos position split split_part string_split str_split string_split_regex str_split_regex
    string_to_array array_to_string ascii chr ord unicode translate strip_accents like_escape not_like_escape
    ilike_escape not_ilike_escape regexp_matches regexp_full_match regexp_extract regexp_extract_all
    regexp_replace regexp_split_to_array regexp_escape format printf md5 md5_number_lower md5_number_upper sha1
    sha256 hash hex to_hex bin to_binary to_base levenshtein damerau_levenshtein hamming jaccard jaro_similarity
    jaro_winkler_similarity mismatches editdist3 parse_filename parse_dirname parse_dirpath parse_path url_decode
    url_encode format_bytes now today current_date current_localtimestamp current_localtime get_current_timestamp
    get_current_time age date_diff datediff date_part datepart date_sub datesub date_add date_trunc datetrunc
    time_bucket strftime strptime try_strptime make_date make_time make_timestamp epoch epoch_ms epoch_us epoch_ns
    to_timestamp timezone century decade year quarter month week weekofyear yearweek isoyear day dayofmonth
    dayofweek weekday isodow dayofyear hour minute second millisecond microsecond dayname monthname last_day
    julian to_years to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds to_microseconds
    list_value list_pack array_value list_contains list_has array_contains array_has list_has_any list_has_all
    array_has_any array_has_all list_position list_indexof array_position list_extract list_element array_extract
    element_at list_slice array_slice list_sort array_sort list_reverse_sort array_reverse_sort list_reverse
    array_reverse list_distinct array_distinct list_unique array_unique list_filter array_filter filter
    list_transform array_transform apply list_apply array_apply list_reduce array_reduce reduce list_concat
    list_cat array_concat array_cat list_append array_append list_prepend array_prepend list_zip array_zip
    list_where list_select flatten list_aggregate list_aggr array_aggregate array_aggr aggregate list_intersect
    array_intersect array_length cardinality unnest range generate_series list_sum list_avg list_min list_max
    list_median list_mode list_count list_first list_last list_any_value list_string_agg list_histogram
    list_bool_and list_bool_or list_product row struct_pack struct_extract struct_extract_at struct_insert
    struct_keys struct_values map map_keys map_values map_extract map_extract_value map_entries map_from_entries
    map_contains json json_extract json_extract_string json_extract_path json_extract_path_text json_value
    json_exists json_keys json_array_length json_type json_valid json_contains json_array json_object
    json_structure to_json row_to_json json_quote json_group_array json_group_object array_to_json typeof error if
    any_value first first_value last last_value arbitrary arg_max arg_min argmax argmin max_by min_by arg_max_null
    arg_min_null array_agg list string_agg group_concat listagg avg mean sum fsum kahan_sum sumkahan product count
    count_if countif count_star min max median mode mad quantile quantile_cont quantile_disc approx_quantile
    approx_count_distinct approx_top_k bit_and bit_or bit_xor bool_and bool_or corr covar_pop covar_samp entropy
    favg geomean geometric_mean histogram kurtosis kurtosis_pop skewness sem stddev stddev_pop stddev_samp var_pop
    var_samp variance regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    weighted_avg wavg row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead nth_value fill
    random uuid gen_random_uuid union_value union_tag union_extract
"""
FUNCTIONS = frozenset(_FUNCTIONS_TEXT.split())
_EXPRESSIONS_TEXT = """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR
    POSITIONAL_REFERENCE STAR SUBQUERY WINDOW
"""
_EXPRESSIONS = frozenset(_EXPRESSIONS_TEXT.split())
_NODES_TEXT = """
    SELECT_NODE SET_OPERATION_NODE RECURSIVE_CTE_NODE CTE_NODE ORDER_MODIFIER LIMIT_MODIFIER
    LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER BASE_TABLE JOIN SUBQUERY TABLE_FUNCTION EXPRESSION_LIST EMPTY
    ORDER_DEFAULT ASCENDING DESCENDING DECIMAL_TYPE_INFO UNBOUND_TYPE_INFO LIST_TYPE_INFO STRUCT_TYPE_INFO
    STRING_TYPE_INFO ARRAY_TYPE_INFO PIVOT
"""
_NODES = frozenset(_NODES_TEXT.split())
_MAX_DEPTH = 200


# DuckLake gives every table these columns, which show where its files are on this machine.
_HIDDEN = frozenset(("filename", "file_row_number", "file_index"))
_NO_POSITION = 2**64 - 1  # DuckDB's position of what has none


class RefusedError(ValueError):
    """The SQL is not allowed; `position` is the index of the byte at fault (None: none)."""

    def __init__(self, why: str, position: int | None = None) -> None:
        super().__init__(why)
        self.position = position if position != _NO_POSITION else None


def check(tree: dict[str, Any]) -> None:
    """Raise RefusedError unless a tree of json_serialize_sql is one harmless SELECT."""
    if tree.get("error"):
        position = tree.get("position")
        why = tree.get("error_message") or "the SQL cannot be parsed"
        if "serialized to json" in why:  # DuckDB's message for statements other than SELECT
            why = "only SELECT is allowed here; PIVOT needs its values: ON status IN ('passed', 'failed')"
        raise RefusedError(why, int(position) if position else None)
    statements = tree.get("statements", [])
    if len(statements) != 1:
        raise RefusedError("exactly one statement is allowed")
    _walk(statements[0], frozenset(), 0)


def _walk(node: Any, visible: frozenset[str], depth: int) -> None:
    """`visible`: names of the common table expressions in scope at the node."""
    if depth > _MAX_DEPTH:
        raise RefusedError("the query is nested too deeply")
    if isinstance(node, list):
        for item in node:
            _walk(item, visible, depth + 1)
    elif isinstance(node, dict):
        _check_node(node, visible)
        visible = _ctes(node, visible, depth)
        for name, child in node.items():
            if name == "cte_map":
                continue
            inner = visible
            if node.get("type") == "RECURSIVE_CTE_NODE" and name == "right":
                inner = visible | {node["cte_name"].lower()}
            _walk(child, inner, depth + 1)


def _ctes(node: dict[str, Any], visible: frozenset[str], depth: int) -> frozenset[str]:
    # A CTE sees the ones before it, not itself: WITH pg_class AS (FROM pg_class) reads the system's table.
    for entry in (node.get("cte_map") or {}).get("map", []):
        _walk(entry["value"], visible, depth + 1)
        visible |= {entry["key"].lower()}
    return visible


def _check_node(node: dict[str, Any], visible: frozenset[str]) -> None:
    sort, kind = node.get("class"), node.get("type")
    named = node.get("column_names") if sort == "COLUMN_REF" else node.get("using_columns")
    hidden = _HIDDEN & {name.lower() for name in named or ()} or (kind == "PIVOT" and _HIDDEN & _texts(node))
    if hidden:
        raise RefusedError(f"the column {min(hidden)} is not allowed here", node.get("query_location"))
    if sort is not None:
        if sort not in _EXPRESSIONS:
            raise RefusedError(f"{str(sort).lower()} expressions are not allowed here", node.get("query_location"))
        if sort in ("FUNCTION", "WINDOW"):
            _check_function(node, FUNCTIONS)
    elif isinstance(kind, str):
        if kind == "SHOW_REF":
            tables = ", ".join(sorted(TABLES))
            raise RefusedError(
                f"SHOW, DESCRIBE and SUMMARIZE are not allowed here; try FROM runs LIMIT 5. Tables: {tables}"
            )
        if kind not in _NODES:
            raise RefusedError(f"{kind.lower().replace('_', ' ')} is not allowed here", node.get("query_location"))
        if kind == "BASE_TABLE":
            _check_table(node, visible)
        elif kind == "TABLE_FUNCTION":
            _check_function(node["function"], TABLE_FUNCTIONS)


def _texts(node: Any) -> set[str]:
    """All texts below a node, in lower case: a pivot names columns by plain texts."""
    if isinstance(node, str):
        return {node.lower()}
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return {text for child in below for text in _texts(child)}


def _check_function(node: dict[str, Any], allowed: frozenset[str]) -> None:
    name = node["function_name"].lower()
    # The parser itself writes main.list_value for [1, 2], and pg_catalog.date_part for extract().
    home = node.get("catalog") or "system", node.get("schema") or "main"
    if name not in allowed or home not in (("system", "main"), ("system", "pg_catalog")):
        raise RefusedError(f"the function {name} is not allowed here", node.get("query_location"))


def _check_table(node: dict[str, Any], visible: frozenset[str]) -> None:
    catalog, schema, table = (node[name].lower() for name in ("catalog_name", "schema_name", "table_name"))
    if not catalog and not schema and table in visible:
        return
    if table not in TABLES or catalog not in ("", "lake") or schema not in ("", "main"):
        name = ".".join(part for part in (catalog, schema, table) if part)
        tables = ", ".join(sorted(TABLES))
        raise RefusedError(f"no table {name} here; tables: {tables}", node.get("query_location"))
