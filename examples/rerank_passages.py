"""Rerank a few passages, with the model of the package or any other reranker. 重排几段文字，用自带的或别的重排器。

python examples/rerank_passages.py
python examples/rerank_passages.py lexical                     # no model at all, 不用模型
python examples/rerank_passages.py BAAI/bge-reranker-v2-m3     # or a folder with a model, 或模型文件夹
"""

import sys

from secondpass import rerank_passages
from secondpass.config import DEFAULT_RERANKER

JOBS = {
    "西安交大由哪几个学校合并而成？": [
        "西安交通大学位于陕西省西安市，校园里有樱花。",
        "2000年，西安交通大学、西安医科大学和陕西财经学院三校合并。",
        "大雁塔是唐代的建筑。",
    ],
    "Which schools were merged into Xi'an Jiaotong University?": [
        "The campus is known for its cherry trees.",
        "In 2000 it was merged with Xi'an Medical University and Shaanxi Institute of Finance and Economics.",
        "The Giant Wild Goose Pagoda was built in the Tang dynasty.",
    ],
}


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_RERANKER
    for question, passages in JOBS.items():
        print(question)
        for hit in rerank_passages(question, passages, rerank=f"{name}@all"):
            probability = "" if hit.probability is None else f" = {hit.probability:.0%}"
            print(f"  {hit.score:+7.2f} {hit.scale}{probability}  {hit.chunk.text}")


if __name__ == "__main__":
    main()
