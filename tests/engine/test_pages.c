/* The page pool: directed cases for what it promises, and a long random game against a shadow of
 * it. */
#include "engine/pages.h"
#include "engine/toy.h"

static tern_pages *pool_of(int64_t n)
{
    tern_pages *b;
    assert_int_equal(tern_pages_create(NULL, n, &b), TERN_OK);
    return b;
}

static void fill(int32_t *token, int32_t kind)
{
    /* kinds differ in the last token only */
    for (int i = 0; i < TERN_KV_PAGE; i++) token[i] = i == TERN_KV_PAGE - 1 ? kind : i;
}

static int32_t take(tern_pages *b)
{
    assert_true(tern_pages_reserve(b, 1));
    return tern_pages_take(b);
}

static void nothing_is_taken_without_a_promise(void **state)
{
    (void)state;
    tern_pages *b = pool_of(2);
    assert_int_equal(tern_pages_take(b), TERN_NO_PAGE);
    assert_true(tern_pages_reserve(b, 2));
    assert_false(tern_pages_reserve(b, 1));
    assert_false(tern_pages_reserve(b, -1));
    int32_t first = tern_pages_take(b), second = tern_pages_take(b);
    assert_int_not_equal(first, second);
    assert_int_equal(tern_pages_take(b), TERN_NO_PAGE);
    tern_pages_destroy(b);
}

static void a_page_is_released_once(void **state)
{
    (void)state;
    tern_pages *b = pool_of(3);
    int32_t i = take(b);
    assert_true(tern_pages_release(b, i));
    assert_false(tern_pages_release(b, i));
    assert_false(tern_pages_release(b, -1));
    assert_false(tern_pages_release(b, 3));
    tern_page_counts n = tern_pages_count(b);
    assert_int_equal(n.n_free, 3);
    assert_int_equal(n.n_held, 0);
    tern_pages_destroy(b);
}

static void equal_tokens_behind_another_parent_are_another_page(void **state)
{
    (void)state;
    int32_t a[TERN_KV_PAGE], c[TERN_KV_PAGE];
    tern_pages *b = pool_of(4);
    fill(a, 1);
    fill(c, 2);
    int32_t first = take(b), second = take(b);
    assert_int_equal(tern_pages_publish(b, TERN_NO_PAGE, first, a), first);
    assert_int_equal(tern_pages_publish(b, first, second, c), second);
    assert_int_equal(tern_pages_find(b, TERN_NO_PAGE, c), TERN_NO_PAGE);
    assert_int_equal(tern_pages_find(b, second, c), TERN_NO_PAGE);
    assert_int_equal(tern_pages_find(b, first, a), TERN_NO_PAGE);
    assert_int_equal(tern_pages_find(b, first, c), second);
    assert_int_equal(tern_pages_holders(b, second), 2);
    tern_pages_destroy(b);
}

static void an_equal_page_that_is_known_replaces_the_callers(void **state)
{
    (void)state;
    int32_t a[TERN_KV_PAGE];
    tern_pages *b = pool_of(2);
    fill(a, 1);
    int32_t first = take(b), second = take(b);
    assert_int_equal(tern_pages_publish(b, TERN_NO_PAGE, first, a), first);
    assert_int_equal(tern_pages_publish(b, TERN_NO_PAGE, second, a), first);
    assert_int_equal(tern_pages_holders(b, first), 2);
    assert_int_equal(tern_pages_count(b).n_free, 1);
    tern_pages_destroy(b);
}

static void a_page_behind_an_unknown_one_stays_unknown(void **state)
{
    (void)state;
    int32_t a[TERN_KV_PAGE];
    tern_pages *b = pool_of(2);
    fill(a, 1);
    int32_t first = take(b), second = take(b);
    assert_int_equal(tern_pages_publish(b, first, second, a), second);
    assert_false(tern_pages_known(b, second));
    assert_int_equal(tern_pages_find(b, first, a), TERN_NO_PAGE);
    tern_pages_destroy(b);
}

static void the_oldest_idle_page_goes_first(void **state)
{
    (void)state;
    int32_t token[3][TERN_KV_PAGE], page[3];
    tern_pages *b = pool_of(3);
    for (int i = 0; i < 3; i++) {
        fill(token[i], i);
        page[i] = take(b);
        tern_pages_publish(b, TERN_NO_PAGE, page[i], token[i]);
    }
    tern_pages_release(b, page[1]);
    tern_pages_release(b, page[0]);
    tern_pages_release(b, page[2]);
    assert_int_equal(tern_pages_find(b, TERN_NO_PAGE, token[1]), page[1]);    /* used again: now the youngest */
    tern_pages_release(b, page[1]);
    assert_int_equal(take(b), page[0]);
    assert_int_equal(take(b), page[2]);
    assert_int_equal(take(b), page[1]);
    assert_int_equal(tern_pages_count(b).n_evicted, 3);
    assert_int_equal(tern_pages_find(b, TERN_NO_PAGE, token[1]), TERN_NO_PAGE);
    tern_pages_destroy(b);
}

static void an_idle_page_that_is_promised_is_not_found(void **state)
{
    (void)state;
    int32_t a[TERN_KV_PAGE];
    tern_pages *b = pool_of(1);
    fill(a, 1);
    int32_t i = take(b);
    tern_pages_publish(b, TERN_NO_PAGE, i, a);
    tern_pages_release(b, i);
    assert_true(tern_pages_reserve(b, 1));
    assert_int_equal(tern_pages_find(b, TERN_NO_PAGE, a), TERN_NO_PAGE);
    assert_int_equal(tern_pages_take(b), i);
    tern_pages_destroy(b);
}

typedef struct hashed {
    uint64_t hash;
    int32_t token;
} hashed;

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const hashed *)a)->hash, y = ((const hashed *)b)->hash;
    return x < y ? -1 : x > y;
}

/* Two lists of tokens with the same hash, made on purpose: the hash adds a token to its state
 * before it mixes, so two states less than 2^31 apart before the last token meet where the last
 * tokens make up for the difference. 2^19 states have such a pair. */
static void equal_hashes_do_not_make_equal_pages(void **state)
{
    (void)state;
    enum { TRIES = 1 << 19, LAST = TERN_KV_PAGE - 1 };
    int32_t a[TERN_KV_PAGE] = { 0 }, c[TERN_KV_PAGE] = { 0 };
    hashed *tried = malloc(TRIES * sizeof *tried);
    assert_non_null(tried);
    for (int32_t i = 0; i < TRIES; i++) {
        uint64_t h = 0;
        for (int j = 0; j < LAST; j++) {    /* the hash of one token less, by the same steps */
            h += (uint32_t)(j == 0 ? i : 0) + 1u;
            h ^= h >> 32;
            h *= 0x9E3779B97F4A7C15u;
            h ^= h >> 29;
        }
        tried[i] = (hashed){ h, i };
    }
    qsort(tried, TRIES, sizeof *tried, by_hash);
    int at = 1;
    while (at < TRIES && tried[at].hash - tried[at - 1].hash > INT32_MAX) at++;
    assert_true(at < TRIES);
    a[0] = tried[at - 1].token;
    c[0] = tried[at].token;
    a[LAST] = (int32_t)(tried[at].hash - tried[at - 1].hash);
    free(tried);
    assert_true(tern_pages_hash(0, a) == tern_pages_hash(0, c));

    int32_t next[TERN_KV_PAGE];
    fill(next, 1);
    tern_pages *b = pool_of(3);
    int32_t i = take(b), j = take(b), child = take(b);
    tern_pages_publish(b, TERN_NO_PAGE, i, a);
    assert_int_equal(tern_pages_find(b, TERN_NO_PAGE, c), TERN_NO_PAGE);
    assert_int_equal(tern_pages_find(b, TERN_NO_PAGE, a), i);
    assert_int_equal(tern_pages_publish(b, TERN_NO_PAGE, j, c), j);
    assert_int_equal(tern_pages_publish(b, i, child, next), child);    /* the same hash behind either parent */
    assert_int_equal(tern_pages_find(b, j, next), TERN_NO_PAGE);
    assert_int_equal(tern_pages_find(b, i, next), child);
    tern_pages_destroy(b);
}

/* ---- The random game: requests of up to 6 pages over 4 kinds of content, in a pool of 24 ----- */
enum { POOL = 24, PLAYERS = 8, LONGEST = 6, MOVES = 100000 };

typedef struct player {
    int32_t kind[LONGEST], page[LONGEST];
    int32_t n_want, n_have, n_known;    /* n_want 0: not playing */
} player;

typedef struct game {
    tern_pages *b;
    dice d;
    player p[PLAYERS];
    int32_t content[POOL][LONGEST], depth[POOL];    /* what a known page stands for, from the beginning */
    int64_t idle_since[POOL];                       /* -1: not idle */
    int64_t clock, n_evicted, n_shared;
} game;

static void player_enters(game *g, player *p)
{
    p->n_want = 1 + dice_below(&g->d, LONGEST);
    p->n_have = 0;
    for (int i = 0; i < p->n_want; i++) p->kind[i] = dice_below(&g->d, 4);
    int32_t token[TERN_KV_PAGE];
    while (p->n_have < p->n_want) {
        fill(token, p->kind[p->n_have]);
        int32_t i = tern_pages_find(g->b, p->n_have ? p->page[p->n_have - 1] : TERN_NO_PAGE, token);
        if (i == TERN_NO_PAGE) break;
        assert_int_equal(g->depth[i], p->n_have + 1);
        assert_memory_equal(g->content[i], p->kind, (size_t)g->depth[i] * sizeof p->kind[0]);
        g->idle_since[i] = -1;
        g->n_shared++;
        p->page[p->n_have++] = i;
    }
    p->n_known = p->n_have;
}

static void player_releases(game *g, player *p)
{
    while (p->n_have) {
        int32_t i = p->page[--p->n_have];
        assert_true(tern_pages_release(g->b, i));
        if (!tern_pages_holders(g->b, i) && tern_pages_known(g->b, i)) g->idle_since[i] = g->clock++;
    }
    p->n_want = 0;
}

static void player_takes(game *g, player *p)
{
    int32_t i = tern_pages_take(g->b);
    assert_in_range(i, 0, POOL - 1);
    if (tern_pages_count(g->b).n_evicted > g->n_evicted) {
        for (int j = 0; j < POOL; j++) assert_true(g->idle_since[j] < 0 || g->idle_since[j] >= g->idle_since[i]);
        assert_true(g->idle_since[i] >= 0);
        g->n_evicted++;
    } else {
        assert_true(g->idle_since[i] < 0);
    }
    g->idle_since[i] = -1;
    p->page[p->n_have++] = i;
}

static void player_publishes(game *g, player *p)
{
    int32_t token[TERN_KV_PAGE], at = p->n_known++;
    fill(token, p->kind[at]);
    int32_t i = tern_pages_publish(g->b, at ? p->page[at - 1] : TERN_NO_PAGE, p->page[at], token);
    if (i != p->page[at]) {
        assert_int_equal(g->depth[i], at + 1);
        assert_memory_equal(g->content[i], p->kind, (size_t)(at + 1) * sizeof p->kind[0]);
    }
    g->idle_since[i] = -1;
    g->depth[i] = at + 1;
    memcpy(g->content[i], p->kind, (size_t)(at + 1) * sizeof p->kind[0]);
    p->page[at] = i;
}

static void check_game(const game *g)
{
    int32_t holders[POOL] = { 0 };
    int64_t n_held = 0, n_idle = 0, n_reserved = 0;
    for (int i = 0; i < PLAYERS; i++) {
        for (int j = 0; j < g->p[i].n_have; j++) holders[g->p[i].page[j]]++;
        n_reserved += g->p[i].n_want - g->p[i].n_have;
    }
    for (int i = 0; i < POOL; i++) {
        assert_int_equal(tern_pages_holders(g->b, i), holders[i]);
        n_held += holders[i] > 0;
        n_idle += g->idle_since[i] >= 0;
        if (tern_pages_known(g->b, i) && tern_pages_parent(g->b, i) != TERN_NO_PAGE)
            assert_true(tern_pages_known(g->b, tern_pages_parent(g->b, i)));
    }
    tern_page_counts n = tern_pages_count(g->b);
    assert_int_equal(n.n_held, n_held);
    assert_int_equal(n.n_idle, n_idle);
    assert_int_equal(n.n_free, POOL - n_held - n_idle);
    assert_int_equal(n.n_reserved, n_reserved);
    assert_true(n.n_reserved <= n.n_free + n.n_idle);
}

static void random_moves_keep_the_books(void **state)
{
    (void)state;
    game *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->b = pool_of(POOL);
    g->d.state = 1;
    for (int i = 0; i < POOL; i++) g->idle_since[i] = -1;
    for (int move = 0; move < MOVES; move++) {
        player *p = &g->p[dice_below(&g->d, PLAYERS)];
        int32_t stray = dice_below(&g->d, POOL);
        if (!tern_pages_holders(g->b, stray)) assert_false(tern_pages_release(g->b, stray));
        if (!p->n_want) {
            player_enters(g, p);
            if (!tern_pages_reserve(g->b, p->n_want - p->n_have)) player_releases(g, p);
        } else if (dice_below(&g->d, 8) == 0) {
            tern_pages_unreserve(g->b, p->n_want - p->n_have);
            player_releases(g, p);
        } else if (p->n_have < p->n_want && (p->n_known == p->n_have || dice_below(&g->d, 2))) {
            player_takes(g, p);
        } else if (p->n_known < p->n_have) {
            player_publishes(g, p);
        }
        check_game(g);
    }
    assert_true(g->n_evicted > 1000);    /* the game reaches what it is for */
    assert_true(g->n_shared > 1000);
    tern_pages_destroy(g->b);
    free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_taken_without_a_promise),
        cmocka_unit_test(a_page_is_released_once),
        cmocka_unit_test(equal_tokens_behind_another_parent_are_another_page),
        cmocka_unit_test(an_equal_page_that_is_known_replaces_the_callers),
        cmocka_unit_test(a_page_behind_an_unknown_one_stays_unknown),
        cmocka_unit_test(the_oldest_idle_page_goes_first),
        cmocka_unit_test(an_idle_page_that_is_promised_is_not_found),
        cmocka_unit_test(equal_hashes_do_not_make_equal_pages),
        cmocka_unit_test(random_moves_keep_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
