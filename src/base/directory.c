/* Recognizes directories that are no checkpoint: see directory.h. One table of signs, in the order
 * in which they are tried; what needs a look into the directory (a cache of a hub, a folder below)
 * is found in directory_below.c. */
#include "base/directory.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ctx.h"
#include "base/directory_below.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/model_folder.h"
#include "base/pattern.h"

enum { ANY = TERN_LACKS_CONFIG | TERN_LACKS_WEIGHTS | TERN_LACKS_TOKENIZER,
       MODEL = TERN_LACKS_CONFIG | TERN_LACKS_WEIGHTS };

#define PICKLE                                                                                                     \
    "a pickle, and reading one executes code that it contains; save the model as safetensors (save_pretrained of " \
        "transformers does)"
#define MAKE_TOKENIZER \
    "; AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of transformers writes the tokenizer.json beside it"
#define META                                                                                             \
    "Meta's own layout of a Llama checkpoint; take the one for transformers, which has config.json and " \
        "model.safetensors"

/* name: a pattern of "*"s. also: a second one that must be there, too. lacks: when the row is
 * tried. The sentence is of the first row that fits, and of the first name, in the order of bytes,
 * that fits this row. */
static const struct { const char *name, *also; unsigned lacks; const char *message; } signs[] = {
    { "model_index.json", NULL, ANY, "a pipeline of diffusers, which makes pictures or sound and is no language model; "
      "its text encoder may be opened by itself, in a folder below" },
    { "consolidated.*.pth", "params.json", MODEL, META },
    { "consolidated*.safetensors", "params.json", MODEL,
      "Mistral's own layout; take the files for transformers beside it (config.json, model-*.safetensors)" },
    { "*.incomplete", NULL, MODEL, "a download that has not finished; run it again" },
    { "*.part", NULL, MODEL, "a download that has not finished; run it again" },
    { "*.aria2", NULL, MODEL, "a download that has not finished; run it again" },
    { "*.crdownload", NULL, MODEL, "a download that has not finished; run it again" },
    { "*.gguf", NULL, ANY,
      "a GGUF file, which this version does not read; take the model's original files (config.json, *.safetensors)" },
    { "*.llamafile", NULL, ANY, "a program with a GGUF file in it, which this version does not read; take the model's "
      "original files (config.json, *.safetensors)" },
    { "*.safetensors", NULL, TERN_LACKS_CONFIG,
      "weights, without the config.json that says what they are; fetch it from where the weights came from" },
    { "pytorch_model.bin.index.json", NULL, MODEL, "an index of pickles, and reading those executes code that they "
      "contain; save the model as safetensors (save_pretrained of transformers does)" },
    { "pytorch_model*.bin", NULL, MODEL, PICKLE },
    { "mlc-chat-config.json", NULL, MODEL,
      "a model of MLC, compiled for its own engine; take the files it was converted from" },
    { "ndarray-cache.json", NULL, MODEL,
      "a model of MLC, compiled for its own engine; take the files it was converted from" },
    { "model.bin", "*vocabulary.*", MODEL,
      "a model of CTranslate2, whose format is its own; take the files it was converted from" },
    { "*.distcp", NULL, MODEL, "a sharded checkpoint of PyTorch's FSDP; save the whole model by save_pretrained" },
    { "mp_rank_*_model_states.pt", NULL, MODEL, "a checkpoint of DeepSpeed; its zero_to_fp32.py writes the whole "
      "model, with --safe_serialization as safetensors" },
    { "model-*-of-*.safetensors", NULL, TERN_LACKS_WEIGHTS, "a shard, and there is no index of all of them, "
      "model.safetensors.index.json; fetch it from where the shards came from" },
    { "model.*.safetensors", NULL, TERN_LACKS_WEIGHTS,
      "a variant of the weights; rename the one that is wanted to model.safetensors" },
    { "*.safetensors", NULL, TERN_LACKS_WEIGHTS,
      "safetensors under a name that no index lists; name the file of a whole model model.safetensors" },
    { "openvino_model.xml", NULL, MODEL,
      "OpenVINO's format; take the model's original files (config.json, *.safetensors)" },
    { "*.pt", NULL, MODEL, PICKLE },
    { "*.pth", NULL, MODEL, PICKLE },
    { "*.ckpt", NULL, MODEL, PICKLE },
    { "*.bin", NULL, MODEL, PICKLE },
    { "*.bin.index.json", NULL, MODEL, "an index of pickles, and reading those executes code that they contain; save "
      "the model as safetensors (save_pretrained of transformers does)" },
    { "tf_model.h5", NULL, MODEL,
      "TensorFlow's format; transformers up to 4.x loads it with from_tf=True and saves it as safetensors" },
    { "*.h5", NULL, MODEL,
      "TensorFlow's format; transformers up to 4.x loads it with from_tf=True and saves it as safetensors" },
    { "saved_model.pb", NULL, MODEL,
      "TensorFlow's format, a graph without the layout of transformers; take the model's original files" },
    { "*.ckpt.index", NULL, MODEL,
      "TensorFlow's format; take the files for transformers, which have config.json and model.safetensors" },
    { "*.keras", NULL, MODEL,
      "Keras's format; take the files for transformers, which have config.json and model.safetensors" },
    { "*.msgpack", NULL, MODEL,
      "Flax's format; transformers up to 4.x loads it with from_flax=True and saves it as safetensors" },
    { "*.onnx", NULL, MODEL,
      "an ONNX graph, which tern does not run; take the model's original files (config.json, *.safetensors)" },
    { "onnx", NULL, MODEL, "a folder of ONNX graphs, which tern does not run; take the model's original files "
      "(config.json, *.safetensors)" },
    { "*.tflite", NULL, MODEL,
      "TensorFlow Lite's format; take the model's original files (config.json, *.safetensors)" },
    { "*.mlpackage", NULL, MODEL, "Core ML's format; take the model's original files (config.json, *.safetensors)" },
    { "rank*.engine", NULL, MODEL,
      "an engine of TensorRT-LLM, built for one GPU; take the model's original files (config.json, *.safetensors)" },
    { "*.nemo", NULL, MODEL,
      "an archive of NeMo; take the files for transformers, which have config.json and model.safetensors" },
    { "*.npz", NULL, MODEL,
      "arrays of NumPy, as MLX once kept weights; take the model's original files (config.json, *.safetensors)" },
    { "tekken.json", NULL, TERN_LACKS_TOKENIZER,
      "Mistral's own format of tokenizers; take a tokenizer.json, which a repository for transformers has" },
    { "*.tiktoken", NULL, TERN_LACKS_TOKENIZER, "a vocabulary of tiktoken" MAKE_TOKENIZER },
    { "*.spm", NULL, TERN_LACKS_TOKENIZER, "SentencePiece under another name" MAKE_TOKENIZER },
    { "spm*.model", NULL, TERN_LACKS_TOKENIZER, "SentencePiece under another name" MAKE_TOKENIZER },
    { "tokenizer.json", NULL, TERN_LACKS_CONFIG,
      "a tokenizer, without a model; \"tern tokenize\" and \"tern detokenize\" run on it" },
    { "tokenizer.model", NULL, TERN_LACKS_CONFIG,
      "a tokenizer, without a model; \"tern tokenize\" and \"tern detokenize\" run on it" },
};
enum { N_SIGNS = sizeof signs / sizeof *signs };

static const char *text_of_lack(tern_lack lack)
{
    if (lack == TERN_LACKS_CONFIG) return "no config.json is there";
    if (lack == TERN_LACKS_WEIGHTS) return "neither model.safetensors nor model.safetensors.index.json is there";
    return "none of tokenizer.json, tokenizer.model, vocab.json and vocab.txt is there";
}

/* ---- No directory ---- */

static const struct { const char *name, *message; } files[] = {
    { "*.gguf",
      "a GGUF file, which this version does not read; take the model's original files (config.json, *.safetensors)" },
    { "*.safetensors", "a file of weights; name the directory it lies in, which must have the config.json, too" },
    { "*.json", "a file; name the directory it lies in" },
    { "*.bin", PICKLE },
    { "*.pt", PICKLE },
    { "*.pth", PICKLE },
    { "*.ckpt", PICKLE },
    { "*.onnx",
      "an ONNX graph, which tern does not run; take the model's original files (config.json, *.safetensors)" },
    { "*.zip", "an archive; unpack it, and name the directory" },
    { "*.tar*", "an archive; unpack it, and name the directory" },
    { "*.tgz", "an archive; unpack it, and name the directory" },
    { "*", "a file, not a directory; a model is a directory with config.json and *.safetensors" },
};

static tern_status is_a_file(tern_ctx *ctx, const char *path)
{
    size_t i = 0;
    while (!tern_name_matches(files[i].name, path)) i++;
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s", path, files[i].message);
}

/* Whether a hub may have a model of that name, "org/model" or "model": letters, digits, '-', '_'
 * and '.', and at most one '/'. */
static bool name_of_hub(const char *path)
{
    size_t slashes = 0;
    if (*path == '.' || *path == '/') return false;
    for (const char *c = path; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!letter && !strchr("-_./", *c)) return false;
        slashes += *c == '/';
    }
    return slashes <= 1 && path[strlen(path) - 1] != '/';
}

static tern_status not_there(tern_ctx *ctx, const char *path, int error)
{
    if (strstr(path, "://"))
        return tern_fail(ctx, TERN_ERR_IO, "%s: an address, not a directory; tern downloads nothing: fetch the files, "
                         "and name the directory they are in", path);
    if (*path == '~')
        return tern_fail(ctx, TERN_ERR_IO, "%s: no such directory; a shell replaces \"~\" at the beginning of a word "
                         "only, and not in quotes: $HOME does both", path);
    if (error == ENOENT && name_of_hub(path))
        return tern_fail(ctx, TERN_ERR_IO, "%s: no such directory here; if this is a model's name on a hub, fetch its "
                         "files first (tern downloads nothing), and name the directory they are in", path);
    return tern_fail_errno(ctx, error, path);
}

tern_status tern_directory_there(tern_ctx *ctx, const char *dir)
{
    struct stat info;
    if (!*dir) return tern_fail(ctx, TERN_ERR_IO, "the name of the model's directory is empty");
    if (stat(dir, &info)) return not_there(ctx, dir, errno);
    return S_ISDIR(info.st_mode) ? TERN_OK : is_a_file(ctx, dir);
}

/* ---- A directory of something else ---- */

/* An adapter's base, "org/model", where its config names one. */
static tern_status is_adapter(tern_ctx *ctx, const char *dir, tern_lack lack)
{
    json_t *config = NULL;
    char base[TERN_SHOWN_BYTES] = "", named[TERN_SHOWN_BYTES + 8] = "";
    if (!tern_json_read(NULL, dir, "adapter_config.json", 1 << 20, &config)) {
        const char *name = json_string_value(json_object_get(config, "base_model_name_or_path"));
        if (name && *name) tern_show(named, sizeof named, " of \"%s\"", tern_show_name(name, base));
        json_decref(config);
    }
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: %s, but adapter_config.json: an adapter of PEFT%s, not a whole "
                     "model; merge it into that model (merge_and_unload and save_pretrained of peft), and name the "
                     "directory that this writes", dir, text_of_lack(lack), named);
}

/* The names in a directory that the rows look for: of each row the first by bytes. */
typedef struct listing {
    char found[N_SIGNS][TERN_SHOWN_BYTES];
    bool also[N_SIGNS], any;
} listing;

static void note(listing *l, const char *name)
{
    char shown[TERN_SHOWN_BYTES];
    l->any |= name[0] != '.';
    tern_show_name(name, shown);
    for (size_t i = 0; i < N_SIGNS; i++) {
        if (signs[i].also && tern_name_matches(signs[i].also, name)) l->also[i] = true;
        if (!tern_name_matches(signs[i].name, name)) continue;
        if (!l->found[i][0] || strcmp(shown, l->found[i]) < 0) memcpy(l->found[i], shown, sizeof shown);
    }
}

static tern_status read_names(tern_ctx *ctx, const char *dir, listing *l)
{
    DIR *folder = opendir(dir);
    if (!folder) return tern_fail_errno(ctx, errno, dir);
    for (struct dirent *entry; (entry = readdir(folder));) note(l, entry->d_name);
    closedir(folder);
    return TERN_OK;
}

tern_status tern_directory_lacks(tern_ctx *ctx, const char *dir, tern_lack lack)
{
    listing l = { 0 };
    tern_status st = tern_directory_there(ctx, dir);
    if (!st) st = read_names(ctx, dir, &l);
    if (st) return st;
    if (!l.any)
        return tern_fail(ctx, TERN_ERR_IO,
                         "%s: an empty directory; a model has config.json, *.safetensors and a tokenizer's files", dir);
    if (lack != TERN_LACKS_TOKENIZER && tern_file_exists(dir, "adapter_config.json")) return is_adapter(ctx, dir, lack);
    bool whole = tern_file_exists(dir, "config.json");    /* the folders below are then its own */
    if (!whole && lack != TERN_LACKS_WEIGHTS && (st = tern_directory_below(ctx, dir, text_of_lack(lack)))) return st;
    for (size_t i = 0; i < N_SIGNS; i++) {
        if (!(signs[i].lacks & (unsigned)lack) || !l.found[i][0] || (signs[i].also && !l.also[i])) continue;
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: %s, but %s: %s", dir, text_of_lack(lack), l.found[i],
                         signs[i].message);
    }
    return tern_fail(ctx, TERN_ERR_IO, "%s: %s; a model's directory has config.json, *.safetensors and a tokenizer's "
                     "files", dir, text_of_lack(lack));
}

bool tern_directory_has_tokenizer(tern_ctx *ctx, const char *dir)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                                         "vocab.json", "vocab.txt" };
    char *folder = NULL;
    bool there = tern_model_folder(ctx, dir, &folder) != TERN_OK;
    for (size_t i = 0; !there && i < sizeof names / sizeof *names; i++) there = tern_file_exists(folder, names[i]);
    tern_free(folder);
    return there;
}

tern_status tern_directory_check(tern_ctx *ctx, const char *dir)
{
    tern_status st = tern_directory_there(ctx, dir);
    return st || tern_file_exists(dir, "config.json") ? st : tern_directory_lacks(ctx, dir, TERN_LACKS_CONFIG);
}
