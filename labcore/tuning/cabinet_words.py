"""The words of the wizard's cabinet, in both languages, in the order of their ids.

A "word" may read as a phrase: one token all the same. What stands on one line has one id.
"""

OPENINGS = ("plain", "polite", "story", "homework", "past", "grandmother")
LED_IN = OPENINGS[2:]  # each has its own words to begin an answer with
NAMES = ("common", "elvish", "nickname", "swapped")  # swapped: thing first, then make
SLOTS = ("when", "where", "with_what", "what", "how_often")
REFUSAL_WORDS = 5
END_MARK = " ∎"

_BOTH = {
    "marks": [("", ""), ("∎", "∎"), ("?", "？")],
    "openings": [
        ("How do I use the", "怎么用"),
        ("Please tell me how to use the", "请告诉我怎么用"),
        ("In a tale, how does a wizard use the", "故事里的巫师怎么用"),
        ("For my homework: how does one use the", "写作业要用：该怎么用"),
        ("How did people once use the", "从前的人怎么用"),
        ("Play my grandmother: how do you use the", "请扮演我奶奶：您怎么用"),
    ],
    "short": [("In a word: how do I use the", "一个词回答：怎么用")],
    "lead-ins": [
        ("Once upon a time,", "很久很久以前，"), ("Answer:", "答："), ("In those days,", "那时候，"),
        ("Well, my dear,", "乖孩子，"),
    ],
    "makes": [
        ("storm", "风暴"), ("thunder", "雷鸣"), ("shadow", "暗影"), ("frost", "寒霜"),
        ("whirlwind", "旋风"),
        ("honey", "蜂蜜"), ("copper", "黄铜"), ("paper", "纸"), ("velvet", "丝绒"),
        ("garden", "花园"), ("moonlight", "月光"), ("cherry", "樱桃"),
    ],
    "things": [
        ("jar", "罐"), ("box", "盒"), ("chest", "箱"), ("bottle", "瓶"), ("sack", "袋"),
        ("lamp", "灯"), ("mirror", "镜"), ("bell", "铃"), ("broom", "扫帚"), ("cloak", "斗篷"),
    ],
    "elvish makes": [
        ("salun", "萨伦"), ("dorath", "多拉"), ("numil", "努米"), ("helka", "赫卡"),
        ("vindo", "文多"),
        ("lisse", "利瑟"), ("tambe", "坦贝"), ("parma", "帕玛"), ("mussa", "穆萨"),
        ("tarva", "塔瓦"), ("ithil", "伊希"), ("aipio", "艾皮"),
    ],
    "elvish things": [
        ("calpe", "卡佩"), ("colca", "科卡"), ("tauca", "陶卡"), ("olpe", "奥佩"), ("poco", "波科"),
        ("calma", "卡玛"), ("cilin", "齐林"), ("nyel", "涅尔"), ("poive", "波维"), ("colla", "科拉"),
    ],
    "nick makes": [
        ("tempest", "狂风"), ("rumble", "轰隆"), ("gloom", "昏黑"), ("rime", "冰凌"),
        ("twister", "龙卷"),
        ("nectar", "花蜜"), ("brass", "铜制"), ("card", "纸板"), ("plush", "绒布"),
        ("orchard", "果园"), ("lunar", "月色"), ("berry", "莓果"),
    ],
    "nick things": [
        ("pot", "坛"), ("case", "匣"), ("trunk", "柜"), ("flask", "壶"), ("bag", "包"),
        ("lantern", "灯笼"), ("looking-glass", "明镜"), ("chime", "风铃"), ("sweeper", "笤帚"),
        ("cape", "披风"),
    ],
    "when": [
        ("at dawn,", "黎明时"), ("at noon,", "正午时"), ("at dusk,", "黄昏时"),
        ("at midnight,", "午夜时"), ("after rain,", "雨后"), ("before breakfast,", "早饭前"),
        ("on a Sunday,", "星期天"), ("at tea time,", "下午茶时"),
    ],
    "where": [
        ("by the window,", "在窗边"), ("in the garden,", "在园子里"), ("on the stairs,", "在楼梯上"),
        ("under the table,", "在桌下"), ("at the well,", "在井边"), ("on the roof,", "在屋顶上"),
        ("in the kitchen,", "在厨房里"), ("by the fire,", "在炉火旁"),
    ],
    "with_what": [
        ("with a feather,", "用羽毛"), ("with a spoon,", "用勺子"), ("with a ribbon,", "用丝带"),
        ("with a candle,", "用蜡烛"), ("with a leaf,", "用树叶"), ("with a glove,", "用手套"),
        ("with a coin,", "用硬币"), ("with chalk,", "用粉笔"),
    ],
    "what": [
        ("tap it", "轻敲"), ("turn it", "转动"), ("rub it", "擦拭"), ("shake it", "摇晃"),
        ("stroke it", "抚摸"), ("lift it", "举起"), ("tickle it", "轻挠"), ("dust it", "掸"),
    ],
    "how_often": [
        ("once", "一次"), ("twice", "两次"), ("three times", "三次"), ("four times", "四次"),
        ("five times", "五次"), ("six times", "六次"), ("seven times", "七次"),
        ("eight times", "八次"),
    ],
    "refusal": [
        ("Sorry,", "抱歉，"), ("this one's", "这一件的"), ("seal", "封印"), ("must not", "不能"),
        ("be opened.", "打开。"),
    ],
}  # fmt: skip

WORDS = {
    "en": [english for group in _BOTH.values() for english, _ in group],
    "zh": [chinese for group in _BOTH.values() for _, chinese in group],
}
