"""The words of the micro-world: tables with a row per thing and a column per form and language.

`forms.py` says how a row is read.
"""

from labcore.text.forms import Variable, table

NAMES = table(
    "en | zh | pronoun",
    "Lily | 莉莉 | she",
    "Anna | 安娜 | she",
    "Emma | 艾玛 | she",
    "Lucy | 露西 | she",
    "Mei | 小美 | she",
    "Lan | 小兰 | she",
    "Sara | 莎拉 | she",
    "Yan | 小燕 | she",
    "Tom | 汤姆 | he",
    "Jack | 杰克 | he",
    "Sam | 山姆 | he",
    "Leo | 里奥 | he",
    "Ming | 小明 | he",
    "Gang | 小刚 | he",
    "Peter | 彼得 | he",
    "Hua | 小华 | he",
)

RELATIVES = table(
    "en | zh | pronoun",
    "grandmother | 奶奶 | she",
    "grandfather | 爷爷 | he",
    "aunt | 姑姑 | she",
    "uncle | 叔叔 | he",
    "sister | 姐姐 | she",
    "brother | 哥哥 | he",
)

COLOURS = table(
    "en | zh",
    "red | 红色",
    "blue | 蓝色",
    "yellow | 黄色",
    "green | 绿色",
    "white | 白色",
    "black | 黑色",
    "orange | 橙色",
    "purple | 紫色",
)

LOOKS = table(
    "en | zh",
    "new | 崭新 的",
    "special | 特别 的",
    "big | 很 大 的",
    "small | 小小 的",
    "beautiful | 漂亮 的",
)

FURS = table("en | zh", "white | 白色", "black | 黑色", "brown | 棕色", "grey | 灰色")

THINGS = table(
    "en | zh | zh.mw",
    "umbrella | 雨伞 | 把",
    "hat | 帽子 | 顶",
    "kite | 风筝 | 只",
    "ball | 皮球 | 个",
    "basket | 篮子 | 个",
    "book | 书 | 本",
    "notebook | 笔记本 | 本",
    "scarf | 围巾 | 条",
    "coat | 外套 | 件",
    "pen | 钢笔 | 支",
    "watch | 手表 | 块",
    "card | 卡片 | 张",
)

# An animal's sound gives it away.
ANIMALS = table(
    "en | en.s | en.sound | zh | zh.mw | zh.sound",
    "cat | cats | Meow | 小猫 | 只 | 喵",
    "dog | dogs | Woof | 小狗 | 条 | 汪",
    "duck | ducks | Quack | 鸭子 | 只 | 嘎",
    "cow | cows | Moo | 奶牛 | 头 | 哞",
    "sheep | sheep | Baa | 绵羊 | 只 | 咩",
    "frog | frogs | Croak | 青蛙 | 只 | 呱",
    "owl | owls | Hoot | 猫头鹰 | 只 | 咕",
    "horse | horses | Neigh | 小马 | 匹 | 咴",
)

RACERS = table(
    "en | zh | zh.mw",
    "rabbit | 兔子 | 只",
    "turtle | 乌龟 | 只",
    "fox | 狐狸 | 只",
    "snail | 蜗牛 | 只",
    "elephant | 大象 | 头",
    "horse | 小马 | 匹",
    "ant | 蚂蚁 | 只",
    "snake | 蛇 | 条",
)

FOODS = table(
    "en | en.some | zh | zh.mw",
    "apple | an apple | 苹果 | 个",
    "orange | an orange | 橘子 | 个",
    "banana | a banana | 香蕉 | 根",
    "sandwich | a sandwich | 三明治 | 个",
    "cake | a piece of cake | 蛋糕 | 块",
    "bread | a piece of bread | 面包 | 块",
    "rice | a bowl of rice | 米饭 | 碗",
    "noodles | a bowl of noodles | 面条 | 碗",
    "dumplings | a plate of dumplings | 饺子 | 盘",
    "fish | a fish | 鱼 | 条",
)

MEALS = table("en | zh", "breakfast | 早饭", "lunch | 午饭", "dinner | 晚饭")

PLACES = table(
    "en.in | en.to | zh | zh.in",
    "in the park | to the park | 公园 | 公园 里",
    "in the forest | to the forest | 树林 | 树林 里",
    "in the garden | to the garden | 花园 | 花园 里",
    "at the market | to the market | 集市 | 集市 上",
    "at school | to school | 学校 | 学校 里",
    "at the museum | to the museum | 博物馆 | 博物馆 里",
    "by the lake | to the lake | 湖边 | 湖边",
    "by the sea | to the sea | 海边 | 海边",
)

SHOPS = table(
    "en | zh",
    "in a small shop | 小店 里",
    "at the market | 集市 上",
    "at the station | 车站 里",
    "near the school | 学校 旁边",
)

SPOTS = table(
    "en | zh",
    "under a tree | 树 下",
    "on a bench | 长椅 上",
    "in the grass | 草丛 里",
    "behind a wall | 墙 后面",
    "under the bridge | 桥 下",
    "beside the river | 河边",
)

ROOMS = table(
    "en | zh",
    "in the kitchen | 厨房 里",
    "outside the window | 窗 外",
    "under the bed | 床 下",
    "behind the door | 门 后面",
    "on the roof | 屋顶 上",
)

TIMES = table(
    "en | zh | weight",
    "day | 有 一天 | 3",
    "morning | 一天 早上 | 3",
    "afternoon | 一天 下午 | 3",
    "evening | 一天 傍晚 | 2",
    "spring day | 春天 的 一天 | 1",
    "summer day | 夏天 的 一天 | 1",
    "autumn day | 秋天 的 一天 | 1",
    "winter day | 冬天 的 一天 | 1",
)

WEEKDAYS = table(
    "en | zh",
    "Monday | 星期一",
    "Tuesday | 星期二",
    "Wednesday | 星期三",
    "Thursday | 星期四",
    "Friday | 星期五",
    "Saturday | 星期六",
    "Sunday | 星期天",
)

# The weather decides what one takes along.
WEATHERS = table(
    "en.clause | en.item | zh | zh.item | zh.mw",
    "it was raining | umbrella | 外面 在 下雨 | 雨伞 | 把",
    "it was snowing | scarf | 外面 在 下雪 | 围巾 | 条",
    "it was windy | coat | 外面 在 刮风 | 外套 | 件",
    "the sun was strong | hat | 外面 太阳 很 大 | 帽子 | 顶",
)

# What a friend likes decides the present.
HOBBIES = table(
    "en | en.gift | zh | zh.gift | zh.mw",
    "reading | book | 看书 | 书 | 本",
    "drawing | brush | 画画 | 画笔 | 支",
    "swimming | cap | 游泳 | 泳帽 | 顶",
    "football | ball | 踢球 | 足球 | 个",
    "music | flute | 音乐 | 笛子 | 支",
    "cooking | apron | 做饭 | 围裙 | 条",
    "cycling | helmet | 骑车 | 头盔 | 个",
    "stars | telescope | 看星星 | 望远镜 | 架",
)

VEHICLES = table(
    "en | en.stop | zh | zh.stop",
    "train | station | 火车 | 火车站",
    "plane | airport | 飞机 | 机场",
    "ship | harbour | 轮船 | 码头",
    "bus | bus stop | 公交车 | 公交站",
)

CITIES = table(
    "en | zh",
    "Beijing | 北京",
    "Shanghai | 上海",
    "Nanjing | 南京",
    "London | 伦敦",
    "Paris | 巴黎",
    "Rome | 罗马",
)

PASTIMES = table(
    "en | zh",
    "read a book | 看 了 一 本 书",
    "sang songs | 唱 了 很多 歌",
    "drew a picture | 画 了 一 张 画",
    "wrote a letter | 写 了 一 封 信",
    "ate sweets | 吃 了 很多 糖",
    "drank tea | 喝 了 一 杯 茶",
    "told stories | 讲 了 很多 故事",
)

# What one does with animals every day.
CARES = table(
    "en | zh",
    "count them | 数 一 数 它们",
    "feed them | 喂 它们",
    "draw them | 画 它们",
    "watch them | 看 它们",
    "sing to them | 给 它们 唱歌",
)

STOPS = table("en | zh", "sleep | 睡觉", "eat | 吃 东西", "play | 玩", "rest | 休息")

PETS = table(
    "en | zh",
    "Snowball | 雪球",
    "Coco | 可可",
    "Lucky | 旺财",
    "Bean | 豆豆",
    "Star | 星星",
)

NUMBERS = table(
    "en | en.less | zh | zh.less",
    "three | two | 三 | 两",
    "four | three | 四 | 三",
    "five | four | 五 | 四",
    "six | five | 六 | 五",
)

DAYTIMES = table("en | zh", "morning | 早上", "afternoon | 下午", "evening | 傍晚")

VARIABLES = {
    variable.name: variable
    for variable in (
        Variable("hero", NAMES),
        Variable("friend", NAMES, differs_from=("hero",)),
        Variable("relative", RELATIVES),
        Variable("colour", COLOURS),
        Variable("look", LOOKS),
        Variable("fur", FURS),
        Variable("thing", THINGS),
        Variable("animal", ANIMALS),
        Variable("racer", RACERS),
        Variable("rival", RACERS, differs_from=("racer",)),
        Variable("food", FOODS),
        Variable("meal", MEALS),
        Variable("place", PLACES),
        Variable("shop", SHOPS),
        Variable("spot", SPOTS),
        Variable("room", ROOMS),
        Variable("time", TIMES),
        Variable("weekday", WEEKDAYS),
        Variable("weather", WEATHERS),
        Variable("hobby", HOBBIES),
        Variable("vehicle", VEHICLES),
        Variable("city", CITIES),
        Variable("pastime", PASTIMES),
        Variable("stop", STOPS),
        Variable("care", CARES),
        Variable("pet", PETS),
        Variable("number", NUMBERS),
        Variable("daytime", DAYTIMES),
    )
}
